int
good_one(void)
{
	return 1;
}
