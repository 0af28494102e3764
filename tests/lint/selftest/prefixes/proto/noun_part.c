int
noun_x(void)
{
	return 0;
}

int
nounless(void)
{
	return 0;
}

int
part_of(void)
{
	return 0;
}
