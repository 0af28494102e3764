#include "proto/http.h"
#include "shm/limits.h"
#include <stddef.h>
