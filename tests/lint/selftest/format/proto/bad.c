int bad_one(void) {
    return 1; }
