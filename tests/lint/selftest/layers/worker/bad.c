#include "worker/hidden.h"
