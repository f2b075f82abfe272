#pragma once

#include <libpq-fe.h>
// The Glibc module leaves it out.
#include <sys/eventfd.h>
