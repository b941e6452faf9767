/* SPDX-License-Identifier: MIT */
#include "backend/backend.h"

#include "iommufd/ioas.h"
#include "iommufd/lend.h"
#include "iommufd/window.h"

static const struct backend iommufd = {
	.ready = lend_page_table,
	.is_ready = ioas_has_table,
	.check = ioas_check,
	.generation = ioas_generation,
	.claim = window_claim,
	.release_gone = window_release_gone,
	.map = ioas_map,
	.copy = ioas_copy,
	.copy_anywhere = ioas_copy_anywhere,
	.unmap = ioas_unmap,
	.physical = ioas_physical,
};

const struct backend *backend = &iommufd;
