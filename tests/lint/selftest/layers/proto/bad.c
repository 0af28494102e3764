#include "shm/ring.h"
