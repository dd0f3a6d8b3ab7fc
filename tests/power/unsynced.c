/* A preloaded layer that keeps, beside the files of one folder, what a disk would hold if the power went now.
 *
 * Every file under $POWER_LIVE has a twin under $POWER_DURABLE. Only fsync and fdatasync bring content to the
 * twin, and a write to a file opened with O_SYNC or O_DSYNC. Names (create, rename, unlink) reach the twin at
 * once: that is the harder case for a program that deletes or truncates before it syncs what replaces it; a
 * truncation reaches it with the next sync. With $POWER_TORN set, each write also brings some of the 4 KiB
 * pages it touched to the twin, unsynced and in no order, as the system may write pages back at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST 4096
#define PAGE 4096

static char *names[MOST]; /* descriptor -> path under the live folder */
static int synced[MOST];
static const char *live, *durable;
static size_t live_size;
static int torn;
static unsigned int seed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void begin(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    live = getenv("POWER_LIVE");
    durable = getenv("POWER_DURABLE");
    live_size = live ? strlen(live) : 0;
    torn = getenv("POWER_TORN") ? atoi(getenv("POWER_TORN")) : 0;
    seed = (unsigned int)torn;
}

static int ours(const char *path) {
    return live && durable && path && !strncmp(path, live, live_size) && path[live_size] == '/';
}

static void twin_of(const char *path, char *out) { snprintf(out, PATH_MAX, "%s%s", durable, path + live_size); }

static int twin(const char *path) {
    char name[PATH_MAX];
    twin_of(path, name);
    return real_open(name, O_RDWR | O_CREAT, 0600);
}

static void copy(int from, int to, off_t at, off_t end) {
    char page[PAGE];
    while (at < end) {
        ssize_t n = pread(from, page, end - at < PAGE ? (size_t)(end - at) : PAGE, at);
        if (n <= 0) break;
        if (real_pwrite(to, page, (size_t)n, at) != n) break;
        at += n;
    }
}

static void reach_disk(int fd) {
    struct stat is;
    int to;
    if (fd < 0 || fd >= MOST || !names[fd] || fstat(fd, &is) || !is.st_nlink) return;
    to = twin(names[fd]);
    if (to < 0) return;
    copy(fd, to, 0, is.st_size);
    if (ftruncate(to, is.st_size)) { /* a twin that cannot be cut shows as a corrupt file */ }
    real_close(to);
}

static void written(int fd, off_t at, size_t n) {
    off_t page;
    int to;
    if (fd < 0 || fd >= MOST || !names[fd]) return;
    if (synced[fd]) {
        reach_disk(fd);
        return;
    }
    if (!torn) return;
    to = twin(names[fd]);
    if (to < 0) return;
    for (page = at / PAGE * PAGE; page < at + (off_t)n; page += PAGE)
        if (rand_r(&seed) % 3 == 0) copy(fd, to, page, page + PAGE);
    real_close(to);
}

static int opened(int fd, const char *path, int flags) {
    int to;
    if (fd < 0 || fd >= MOST || !ours(path)) return fd;
    pthread_mutex_lock(&lock);
    free(names[fd]);
    names[fd] = strdup(path);
    synced[fd] = (flags & (O_SYNC | O_DSYNC)) != 0;
    if (flags & O_CREAT) {
        to = twin(path);
        if (to >= 0) real_close(to);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(NAME)                                             \
    int NAME(const char *path, int flags, ...) {               \
        mode_t mode = 0;                                       \
        if (flags & (O_CREAT | O_TMPFILE)) {                   \
            va_list more;                                      \
            va_start(more, flags);                             \
            mode = va_arg(more, mode_t);                       \
            va_end(more);                                      \
        }                                                      \
        return opened(real_open(path, flags, mode), path, flags); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < MOST && names[fd]) {
        pthread_mutex_lock(&lock);
        free(names[fd]);
        names[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    ssize_t n = real_write(fd, data, size);
    if (n > 0 && fd >= 0 && fd < MOST && names[fd]) {
        int kept = errno;
        pthread_mutex_lock(&lock);
        written(fd, lseek(fd, 0, SEEK_CUR) - n, (size_t)n);
        pthread_mutex_unlock(&lock);
        errno = kept;
    }
    return n;
}

static ssize_t placed(int fd, const void *data, size_t size, off_t at) {
    ssize_t n = real_pwrite(fd, data, size, at);
    if (n > 0 && fd >= 0 && fd < MOST && names[fd]) {
        int kept = errno;
        pthread_mutex_lock(&lock);
        written(fd, at, (size_t)n);
        pthread_mutex_unlock(&lock);
        errno = kept;
    }
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return placed(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return placed(fd, data, size, at); }

static int sync_file(int fd, int done) {
    if (!done) {
        pthread_mutex_lock(&lock);
        reach_disk(fd);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

int fsync(int fd) { return sync_file(fd, real_fsync(fd)); }
int fdatasync(int fd) { return sync_file(fd, real_fdatasync(fd)); }

int unlink(const char *path) {
    int done = real_unlink(path);
    if (!done && ours(path)) {
        char name[PATH_MAX];
        twin_of(path, name);
        real_unlink(name);
    }
    return done;
}

int rename(const char *from, const char *to) {
    int done = real_rename(from, to);
    if (!done && ours(from) && ours(to)) {
        char old[PATH_MAX], new[PATH_MAX];
        twin_of(from, old);
        twin_of(to, new);
        real_rename(old, new);
    }
    return done;
}
