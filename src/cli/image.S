/* SPDX-License-Identifier: MIT */
/* What src/trap is linked to. */
	.section .rodata
	.global trap_image
	.hidden trap_image
	.balign 16
trap_image:
	.incbin "src/trap/image.bin"
	.section .note.GNU-stack, "", %progbits
