static const char *pointer = "to a constant, but itself is none";

const char *
bad_swap(const char *other)
{
	const char *was = pointer;

	pointer = other;
	return was;
}
