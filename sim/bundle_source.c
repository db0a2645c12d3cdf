/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/bundle_source.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool bundle_is_source(const char *path)
{
    size_t len = strlen(path);

    return len > 4 && strcmp(path + len - 4, ".dts") == 0;
}

static bool refuse(char *reason, const char *path, const char *why)
{
    (void)snprintf(reason, BUNDLE_MAKE_REASON_MAX, "%s: %s", path, why);
    for (char *c = reason; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return false;
}

/* --- Running dtc --- */

/* What dtc writes: files without a name, so that nothing of it is left behind. */
struct dtc_output {
    int blob;
    int words;
};

static bool open_output(struct dtc_output *out)
{
    out->blob = memfd_create("bundle", MFD_CLOEXEC);
    out->words = memfd_create("dtc", MFD_CLOEXEC);
    return out->blob >= 0 && out->words >= 0;
}

static void close_output(const struct dtc_output *out)
{
    if (out->blob >= 0)
        (void)close(out->blob);
    if (out->words >= 0)
        (void)close(out->words);
}

/* 0, or an errno. A name that begins with a dash is no option: dtc is given it as "./-x". */
static int spawn_dtc(const char *path, const struct dtc_output *out, pid_t *pid)
{
    char *name = NULL;
    posix_spawn_file_actions_t actions;
    int err;

    if (asprintf(&name, "%s%s", path[0] == '-' ? "./" : "", path) < 0)
        return ENOMEM;
    char program[] = "dtc", quiet[] = "-q", in[] = "-I", dts[] = "dts", to[] = "-O", dtb[] = "dtb";
    char *argv[] = {program, quiet, in, dts, to, dtb, name, NULL};

    err = posix_spawn_file_actions_init(&actions);
    if (err == 0) {
        err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
        if (err == 0)
            err = posix_spawn_file_actions_adddup2(&actions, out->blob, STDOUT_FILENO);
        if (err == 0)
            err = posix_spawn_file_actions_adddup2(&actions, out->words, STDERR_FILENO);
        if (err == 0)
            err = posix_spawnp(pid, program, &actions, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    free(name);
    return err;
}

static bool wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- What came of it --- */

static bool tell_words(const struct dtc_output *out, const char *path, char *reason)
{
    char text[BUNDLE_MAKE_REASON_MAX] = "";
    ssize_t len = pread(out->words, text, sizeof(text) - 1, 0);

    if (len <= 0)
        return refuse(reason, path, "dtc refused it, and does not say why");
    text[strcspn(text, "\n")] = '\0';
    return refuse(reason, "dtc", text);
}

static bool take_blob(const struct dtc_output *out, const char *path, struct bundle_blob *blob,
                      char *reason)
{
    struct stat status;
    size_t at = 0;

    if (fstat(out->blob, &status) != 0 || status.st_size <= 0)
        return refuse(reason, path, "dtc made nothing of it");
    if ((uint64_t)status.st_size > BUNDLE_MAKE_LIMIT)
        return refuse(reason, path, "the bundle has more than 1 GiB");
    *blob = (struct bundle_blob){malloc((size_t)status.st_size), (size_t)status.st_size};
    if (blob->data == NULL)
        return refuse(reason, path, "no memory");
    while (at < blob->size) {
        ssize_t got = pread(out->blob, (char *)blob->data + at, blob->size - at, (off_t)at);
        if (got <= 0) {
            bundle_free(blob);
            return refuse(reason, path, "what dtc made cannot be read");
        }
        at += (size_t)got;
    }
    return true;
}

bool bundle_compile(const char *path, struct bundle_blob *out, char *reason)
{
    struct dtc_output output = {-1, -1};
    bool done = false;
    pid_t pid;
    int err;

    if (!open_output(&output)) {
        close_output(&output);
        return refuse(reason, path, "no room for what dtc makes");
    }
    err = spawn_dtc(path, &output, &pid);
    if (err == ENOENT)
        (void)refuse(reason, path, "dtc, which compiles it, is not installed: run ci/setup");
    else if (err != 0)
        (void)refuse(reason, path, strerror(err));
    else if (!wait_for(pid))
        (void)tell_words(&output, path, reason);
    else
        done = take_blob(&output, path, out, reason);
    close_output(&output);
    return done;
}
