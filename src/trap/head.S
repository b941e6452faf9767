/* SPDX-License-Identifier: MIT */
/* struct image_head, at the beginning of the image. */
	.section .head, "a"
	.global image_head
	.hidden image_head
image_head:
	.quad 0x70617274756d6d69
	.quad image_text_size
	.quad image_data_size
	.quad image_memory_size
	.quad image_entry
	.quad image_boot
	.section .note.GNU-stack, "", @progbits
