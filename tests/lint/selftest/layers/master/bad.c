#include "worker/conn.h"
#include "shm/ring.h"
