/* T-O-D-O: later */
int bad;
#if 0
int dead;
#endif
