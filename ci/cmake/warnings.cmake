# SPDX-License-Identifier: MIT OR Apache-2.0
#
# What every target of the project is compiled with. `halcyon-options` is linked PRIVATE by each of them.
add_library(halcyon-options INTERFACE)
target_compile_options(halcyon-options INTERFACE
    -Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-qual -Wwrite-strings
    -Wpointer-arith -Wvla -Wswitch -Wimplicit-fallthrough -Wformat=2 -Wmissing-declarations
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition>
    -fno-common)

# The simulator's snapshots keep stacks, and a canary is another one in each process. The EL2 image has no use for it either.
target_compile_options(halcyon-options INTERFACE $<$<COMPILE_LANGUAGE:C>:-fno-stack-protector>)

if(HALCYON_SANITIZE)
    target_compile_options(halcyon-options INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(halcyon-options INTERFACE -fsanitize=address,undefined)
endif()

# Only core is measured: tests and doubles that merely run would flatter the figure.
add_library(halcyon-core-options INTERFACE)
target_link_libraries(halcyon-core-options INTERFACE halcyon-options)
target_compile_options(halcyon-core-options INTERFACE -ffreestanding)
if(HALCYON_COVERAGE)
    target_compile_options(halcyon-core-options INTERFACE --coverage -fprofile-abs-path)
    target_link_options(halcyon-options INTERFACE --coverage)
endif()
