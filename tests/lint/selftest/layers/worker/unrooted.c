#include "conn.h"
#include "../proto/http.h"
