/* Built into the library for sanitizers only: plugins of Open MPI stay loaded to the end, so that a report of leaks can name them
   (and tests/sanitize.supp leave them out). */
int dlclose(void *handle);
int dlclose(void *handle)
{
  (void)handle;
  return 0;
}
