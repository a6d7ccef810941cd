/*
 * A disk that fails on demand: preload it into a program (LD_PRELOAD), then say through a file what goes wrong.
 *
 *   SMSGW_FAULT_PATTERN   shell pattern of the files that are hit, as fnmatch(3) matches whole paths
 *   SMSGW_FAULT_CONTROL   the file that says what happens to them now; empty or missing: nothing
 *       full [N]          after N more writes the disk is full: what would write or grow fails with ENOSPC
 *       fsync             fsync and fdatasync fail with EIO
 *
 * Everything else, and every other file, is left to the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int written; /* since the control file last spoke of something else than "full" */

/* Read the control file by bare system calls: this runs inside write(). */
static void read_control(char *word, size_t size)
{
    const char *path = getenv("SMSGW_FAULT_CONTROL");
    word[0] = '\0';
    if (path == NULL)
        return;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    long length = syscall(SYS_read, fd, word, size - 1);
    word[length < 0 ? 0 : length] = '\0';
    syscall(SYS_close, fd);
}

static int is_hit(int fd)
{
    char link[64], path[4096];
    const char *pattern = getenv("SMSGW_FAULT_PATTERN");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (pattern == NULL || length < 0)
        return 0;
    path[length] = '\0';
    return fnmatch(pattern, path, 0) == 0;
}

static int disk_is_full(int fd)
{
    char word[32];
    int saved = errno, full = 0;
    read_control(word, sizeof word);
    if (strncmp(word, "full", 4) != 0)
        atomic_store(&written, 0);
    else if (is_hit(fd))
        full = atomic_fetch_add(&written, 1) >= atoi(word + 4);
    errno = full ? ENOSPC : saved;
    return full;
}

static int sync_fails(int fd)
{
    char word[32];
    int saved = errno, fails;
    read_control(word, sizeof word);
    fails = strncmp(word, "fsync", 5) == 0 && is_hit(fd);
    errno = fails ? EIO : saved;
    return fails;
}

static int grows(int fd, off_t length)
{
    struct stat status;
    return fstat(fd, &status) == 0 && length > status.st_size;
}

/* The function that would have been called without us. */
#define NEXT(result, name, ...)                                        \
    static result (*next)(__VA_ARGS__);                                \
    if (next == NULL)                                                  \
        next = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *bytes, size_t size)
{
    NEXT(ssize_t, "write", int, const void *, size_t);
    return disk_is_full(fd) ? -1 : next(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    NEXT(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return disk_is_full(fd) ? -1 : next(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return disk_is_full(fd) ? -1 : next(fd, bytes, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    return disk_is_full(fd) ? -1 : next(fd, parts, count);
}

int ftruncate(int fd, off_t length)
{
    NEXT(int, "ftruncate", int, off_t);
    return grows(fd, length) && disk_is_full(fd) ? -1 : next(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    NEXT(int, "ftruncate64", int, off64_t);
    return grows(fd, length) && disk_is_full(fd) ? -1 : next(fd, length);
}

int fallocate(int fd, int mode, off_t at, off_t length)
{
    NEXT(int, "fallocate", int, int, off_t, off_t);
    return disk_is_full(fd) ? -1 : next(fd, mode, at, length);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
    NEXT(int, "fallocate64", int, int, off64_t, off64_t);
    return disk_is_full(fd) ? -1 : next(fd, mode, at, length);
}

/* These two return the error instead of setting errno. */
int posix_fallocate(int fd, off_t at, off_t length)
{
    NEXT(int, "posix_fallocate", int, off_t, off_t);
    return disk_is_full(fd) ? ENOSPC : next(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length)
{
    NEXT(int, "posix_fallocate64", int, off64_t, off64_t);
    return disk_is_full(fd) ? ENOSPC : next(fd, at, length);
}

int fsync(int fd)
{
    NEXT(int, "fsync", int);
    return sync_fails(fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(int, "fdatasync", int);
    return sync_fails(fd) ? -1 : next(fd);
}
