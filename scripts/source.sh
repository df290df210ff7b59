#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Brings build/linux up to date: see source.py.
#   source.sh            apply the series
#   source.sh refresh P  write edits back into it
#   source.sh stock      unpack upstream, without the series, into build/stock-linux
. "$(dirname "$0")/lib.sh"

take_lock "$VZ_BUILD/.source.lock"
deb=$("$VZ_TOP/scripts/fetch-kernel.sh")
if [ "${1:-apply}" = refresh ]; then
	exec "$VZ_TOP/scripts/source.py" refresh "$deb" ${2:+"$2"}
fi
exec "$VZ_TOP/scripts/source.py" "${1:-apply}" "$deb"
