#pragma once

// Debian's hiredis 0.14: its reply reader and its command formatter, never its sockets.
#include <hiredis/hiredis.h>
