/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: a fixed sequence of inputs that depends on nothing but the
 * seed. So that every build tests the targets a little, and a finding can be run again by any
 * compiler's build.
 */
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define MAX_LEN   8192u
#define MAX_SEEDS 64u

/* Of the sanitizers' run time, where there is one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct bytes {
    uint8_t data[MAX_LEN];
    size_t size;
};

static struct bytes seeds[MAX_SEEDS];
static size_t nr_seeds;
static struct bytes current;
static const char *crash_file = "fuzz-crash";

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The input that is being run, for whoever wants to run it again. Safe in a signal handler. */
static void save_current(void)
{
    static const char message[] = "the input is in ";
    int fd = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || write(fd, current.data, current.size) != (ssize_t)current.size ||
        write(STDERR_FILENO, message, sizeof(message) - 1) < 0 ||
        write(STDERR_FILENO, crash_file, strlen(crash_file)) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        return;
    (void)close(fd);
}

static void on_signal(int number)
{
    save_current();
    signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_for_crashes(void)
{
    static const int signals[] = {SIGABRT, SIGALRM, SIGTERM};

    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(save_current);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], on_signal);
}

static bool load_file(const char *path, struct bytes *out)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return false;
    out->size = fread(out->data, 1, MAX_LEN, file);
    fclose(file);
    return true;
}

static bool load_seed(const char *path)
{
    return nr_seeds < MAX_SEEDS && load_file(path, &seeds[nr_seeds]) && ++nr_seeds > 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their names: what the directory's order is differs between machines. */
static bool load_directory(const char *path)
{
    char *names[MAX_SEEDS];
    size_t count = 0;
    DIR *directory = opendir(path);

    if (directory == NULL)
        return false;
    for (struct dirent *entry; count < MAX_SEEDS && (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    closedir(directory);
    qsort(names, count, sizeof(names[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        if (!load_seed(file))
            fprintf(stderr, "%s: not readable, or one too many\n", file);
        free(names[i]);
    }
    return true;
}

/* Bytes that make structured input more likely than uniform ones: small, zero, all ones, text. */
static uint8_t random_byte(uint64_t *state)
{
    uint64_t r = next_random(state);

    switch (r & 7) {
    case 0:
        return 0;
    case 1:
        return 0xff;
    case 2:
        return (uint8_t)((r >> 8) & 15);
    case 3:
        return (uint8_t)(1u << ((r >> 8) & 7));
    case 4:
        return (uint8_t)(32 + ((r >> 8) % 95));
    default:
        return (uint8_t)(r >> 8);
    }
}

static void make_random(uint64_t *state)
{
    current.size = next_random(state) % ((next_random(state) & 3) == 0 ? MAX_LEN : 256);
    for (size_t i = 0; i < current.size; i++)
        current.data[i] = random_byte(state);
}

static void mutate_once(uint64_t *state)
{
    uint64_t r = next_random(state);
    size_t at = current.size > 0 ? (r >> 16) % current.size : 0;

    switch (r & 7) {
    case 0: /* cut */
        current.size = at;
        break;
    case 1: /* repeat what is there */
        if (current.size > 0 && current.size + (current.size - at) <= MAX_LEN) {
            memmove(current.data + current.size, current.data + at, current.size - at);
            current.size += current.size - at;
        }
        break;
    case 2: /* a word that is big, or off by one */
        for (size_t i = 0; i < 4 && at + i < current.size; i++)
            current.data[at + i] = (uint8_t)(i == 3 ? (r >> 8) : ((r >> 9) & 1) * 0xff);
        break;
    case 3:
        if (current.size > 0)
            current.data[at] = (uint8_t)(current.data[at] + ((r >> 8) & 1 ? 1 : -1));
        break;
    case 4:
        if (current.size > 0)
            current.data[at] ^= (uint8_t)(1u << ((r >> 8) & 7));
        break;
    default:
        if (current.size > 0)
            current.data[at] = random_byte(state);
        break;
    }
}

static void make_input(uint64_t *state)
{
    if (nr_seeds == 0 || (next_random(state) & 7) == 0) {
        make_random(state);
        return;
    }
    memcpy(&current, &seeds[next_random(state) % nr_seeds], sizeof(current));
    for (uint64_t n = next_random(state) % 8 + 1; n > 0; n--)
        mutate_once(state);
}

/* In memory of exactly its size, so that AddressSanitizer sees a read past the end. */
static void run_current(void)
{
    uint8_t *copy = malloc(current.size > 0 ? current.size : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, current.data, current.size);
    if (LLVMFuzzerTestOneInput(copy, current.size) != 0) {
        fprintf(stderr, "the target did not return 0\n");
        abort();
    }
    free(copy);
}

static const char help[] =
    "usage: %s [--runs N] [--seed N] [--crash FILE] [FILE | DIRECTORY]...\n"
    "Runs the fuzz target on each FILE, and on N inputs derived from them and from the seed\n"
    "(1000 inputs, seed 1). The same arguments give the same inputs. An input that ends the\n"
    "process is left in the crash file (fuzz-crash).\n";

int main(int argc, char **argv)
{
    uint64_t runs = 1000;
    uint64_t state = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf(help, argv[0]);
            return 0;
        }
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            state = strtoull(argv[++i], NULL, 10) * 2 + 1; /* not 0, which xorshift stays at */
        } else if (strcmp(argv[i], "--crash") == 0 && i + 1 < argc) {
            crash_file = argv[++i];
        } else if (argv[i][0] == '-' || (!load_directory(argv[i]) && !load_seed(argv[i]))) {
            fprintf(stderr, "%s: not an option, a file or a directory; see --help\n", argv[i]);
            return 2;
        }
    }
    watch_for_crashes();
    for (size_t i = 0; i < nr_seeds; i++) {
        memcpy(&current, &seeds[i], sizeof(current));
        run_current();
    }
    for (uint64_t i = 0; i < runs; i++) {
        make_input(&state);
        run_current();
    }
    printf("%llu inputs and %zu seeds: passed\n", (unsigned long long)runs, nr_seeds);
    return 0;
}
