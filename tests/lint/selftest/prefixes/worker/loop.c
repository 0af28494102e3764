int
worker_random(void)
{
	return 4;
}

int
worker_other(void)
{
	return 4;
}
