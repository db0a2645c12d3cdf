/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The linker's build ID: a note in the program that is a digest of all of it. */
#include "base/bits.h"
#include "hal-sim/machine.h"
#include <elf.h>
#include <link.h>
#include <string.h>

static const unsigned char *find_note(const unsigned char *at, size_t left)
{
    while (left >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        size_t size;

        memcpy(&note, at, sizeof(note));
        size = sizeof(note) + align_up(note.n_namesz, 4) + align_up(note.n_descsz, 4);
        if (size > left)
            return NULL;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz >= SIM_BUILD_ID_SIZE)
            return at + sizeof(note) + align_up(note.n_namesz, 4);
        at += size;
        left -= size;
    }
    return NULL;
}

/* The program itself comes first. */
static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const unsigned char *found;

        if (header->p_type != PT_NOTE)
            continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        found =
            find_note((const unsigned char *)(info->dlpi_addr + header->p_vaddr), header->p_memsz);
        if (found != NULL) {
            memcpy(data, found, SIM_BUILD_ID_SIZE);
            break;
        }
    }
    return 1;
}

void sim_build_id(uint8_t out[SIM_BUILD_ID_SIZE])
{
    memset(out, 0, SIM_BUILD_ID_SIZE);
    (void)dl_iterate_phdr(visit, out);
}
