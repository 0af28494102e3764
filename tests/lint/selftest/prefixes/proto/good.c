int good;
static int hidden;

int
good_one(void)
{
	return good + hidden;
}
