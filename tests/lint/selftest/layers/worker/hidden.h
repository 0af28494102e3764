#include "master/loop.h"
