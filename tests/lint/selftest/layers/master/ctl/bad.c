#include "master/loop.h"
#include "shm/ring.h"
