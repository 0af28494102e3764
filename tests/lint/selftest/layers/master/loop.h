int loop(void);
