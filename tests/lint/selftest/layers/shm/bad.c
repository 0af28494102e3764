#include "proto/http.h"
