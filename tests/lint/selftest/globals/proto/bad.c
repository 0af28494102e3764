int bad_total = 1;
_Thread_local int bad_thread;

int
bad_next(void)
{
	static int calls;

	return ++calls;
}
