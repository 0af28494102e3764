/* a todo list is no leftover; nor is HACKED */
int good;
