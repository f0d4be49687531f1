"""The networks that find people's poses, and the skeletons that are drawn of them, as nets for poses are shown them."""
