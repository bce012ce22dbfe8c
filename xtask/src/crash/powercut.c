/* Records what a program asks of the disk, so that a power cut can be played back at any point of the recording.
 *
 * Preloaded into the program. Every call that changes a file below STRATA_POWERCUT_DIR, and every write to standard
 * output, is appended to STRATA_POWERCUT_LOG, in order:
 *   - a change is recorded after it happened, before its caller goes on: a sync that its caller starts later, or that is
 *     started because its caller said so, comes later in the recording;
 *   - output is recorded before it happens: an acknowledgement counts from the moment it could be seen;
 *   - a sync is recorded twice, at its start and, if it succeeded, at its end.
 * sync_file_range is let through and recorded as nothing: it does not empty the cache of a disk.
 *
 * The layout of a record is that of `struct head` below, then the path, then the data. `log.rs` reads it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE, SYNC_START, SYNC_END, CREATE, RENAME, UNLINK, OUTPUT, FOLDER };

struct head {
    uint32_t magic;
    uint32_t kind;
    uint64_t inode;
    uint64_t number; /* offset, length or the number of the sync */
    uint32_t path_length;
    uint32_t data_length;
};

#define MAGIC 0x54554350u /* "PCUT" */
#define LONGEST 4096

static int log_fd = -1;
static char folder[LONGEST];
static size_t folder_length;
static uint64_t syncs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *dir = getenv("STRATA_POWERCUT_DIR");
    const char *log = getenv("STRATA_POWERCUT_LOG");
    if (!dir || !log || strlen(dir) >= LONGEST) return;
    strcpy(folder, dir);
    folder_length = strlen(folder);
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void whole(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = syscall(SYS_write, log_fd, at, length);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) abort(); /* a recording with a hole proves nothing */
        at += done;
        length -= (size_t)done;
    }
}

static void record(enum kind kind, uint64_t inode, uint64_t number, const char *path, const void *data, size_t length) {
    int kept = errno;
    struct head head = {MAGIC, kind, inode, number, (uint32_t)strlen(path), (uint32_t)length};
    pthread_mutex_lock(&lock);
    whole(&head, sizeof head);
    whole(path, head.path_length);
    whole(data, length);
    pthread_mutex_unlock(&lock);
    errno = kept;
}

static int is_inside(const char *path) {
    return log_fd >= 0 && strncmp(path, folder, folder_length) == 0 &&
           (path[folder_length] == '/' || path[folder_length] == 0);
}

/* The path of an open file below the folder, and its inode. 0: not one of those. */
static int watched(int fd, char *path, uint64_t *inode) {
    int kept = errno;
    char link[64];
    struct stat facts;
    if (log_fd < 0 || fd <= 2) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, LONGEST - 1);
    int found = 0;
    if (length > 0) {
        path[length] = 0;
        if (is_inside(path) && fstat(fd, &facts) == 0) {
            *inode = facts.st_ino;
            found = 1;
        }
    }
    errno = kept;
    return found;
}

/* Data already gathered in one piece went to that place of the file. */
static void wrote(int fd, off_t offset, const void *data, ssize_t length) {
    char path[LONGEST];
    uint64_t inode;
    if (length > 0 && watched(fd, path, &inode)) record(WRITE, inode, (uint64_t)offset, path, data, (size_t)length);
}

static off_t place_before(int fd, ssize_t length) {
    int kept = errno;
    off_t after = lseek(fd, 0, SEEK_CUR);
    errno = kept;
    return after - length;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
    wrote(fd, offset, data, done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
    if (fd == 1 && log_fd >= 0) record(OUTPUT, 0, 0, "", data, length);
    ssize_t done = syscall(SYS_write, fd, data, length);
    if (fd > 2 && done > 0) wrote(fd, place_before(fd, done), data, done);
    return done;
}

/* One part at a time: correct, because a short count is allowed. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len > 0) return write(fd, parts[i].iov_base, parts[i].iov_len);
    return 0;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len > 0) return pwrite64(fd, parts[i].iov_base, parts[i].iov_len, offset);
    return 0;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
    char path[LONGEST];
    uint64_t inode;
    int done = (int)syscall(SYS_ftruncate, fd, length);
    if (done == 0 && watched(fd, path, &inode)) record(TRUNCATE, inode, (uint64_t)length, path, "", 0);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int synced(long call, int fd) {
    char path[LONGEST];
    uint64_t inode;
    int is_watched = watched(fd, path, &inode);
    uint64_t number = is_watched ? __atomic_add_fetch(&syncs, 1, __ATOMIC_SEQ_CST) : 0;
    if (is_watched) record(SYNC_START, inode, number, path, "", 0);
    int done = (int)syscall(call, fd);
    if (is_watched && done == 0) record(SYNC_END, inode, number, path, "", 0);
    return done;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }

int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

static int opened(int at, const char *path, int flags, mode_t mode) {
    int kept = errno;
    int is_new = log_fd >= 0 && (flags & O_CREAT) && faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    errno = kept;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    char name[LONGEST];
    uint64_t inode;
    if (fd > 2 && (is_new || (flags & O_TRUNC)) && watched(fd, name, &inode))
        record(is_new ? CREATE : TRUNCATE, inode, 0, name, "", 0);
    return fd;
}

#define MODE_OF(flags)                                \
    mode_t mode = 0;                                  \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {          \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode = (mode_t)va_arg(rest, unsigned int);    \
        va_end(rest);                                 \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE_OF(flags)
    return opened(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE_OF(flags)
    return opened(at, path, flags | O_LARGEFILE, mode);
}

int rename(const char *from, const char *to) {
    int done = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (done == 0 && (is_inside(from) || is_inside(to))) record(RENAME, 0, 0, from, to, strlen(to));
    return done;
}

int unlink(const char *path) {
    int done = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (done == 0 && is_inside(path)) record(UNLINK, 0, 0, path, "", 0);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    int done = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (done == 0 && is_inside(path)) record(FOLDER, 0, 0, path, "", 0);
    return done;
}
