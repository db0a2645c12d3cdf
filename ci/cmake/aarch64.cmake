# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Toolchain of the EL2 image: Debian's cross gcc, freestanding. General registers only: a guest's FP/SIMD state stays live
# in the CPU across exits. No outline atomics: there is no libgcc helper to ask at EL2. The image is linked -pie, but not compiled
# so: the small code model is PC-relative as it is, and tables of pointers stay in .rodata, where entry.S relocates them before
# the MMU makes them read-only.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_ASM_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "-march=armv8-a -mgeneral-regs-only -mno-outline-atomics -mstrict-align -ffreestanding \
-fno-stack-protector -fno-pie -fvisibility=hidden -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -momit-leaf-frame-pointer \
-ffunction-sections -fdata-sections")
set(CMAKE_ASM_FLAGS_INIT "-march=armv8-a -mno-outline-atomics")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
