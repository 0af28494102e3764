int noun_x(void);
