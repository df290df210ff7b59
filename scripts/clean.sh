#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# clean.sh [--cache]
. "$(dirname "$0")/lib.sh"

rm -rf "$VZ_BUILD" 2>/dev/null || as_root rm -rf "$VZ_BUILD"
if [ "${1:-}" = --cache ]; then
	rm -rf "$VZ_CACHE" 2>/dev/null || as_root rm -rf "$VZ_CACHE"
fi
