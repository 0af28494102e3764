int conn(void);
