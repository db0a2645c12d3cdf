# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The imported target `unicorn`, the simulator's CPU, and `unicorn_version`. What ci/unicorn has put into build/unicorn
# comes first, so that all builds of a tree agree; then what pkg-config finds. Unicorn is under GPL-2.0: hal-sim and sim
# link it, and nothing that goes into the EL2 image does (docs/decisions/0012-unicorn-from-debian-13.md).
include_guard(GLOBAL)

# Older ones cannot run a guest whose addresses are translated. ci/unicorn has the same number.
set(unicorn_minimum 2.1.1)

# Sets `out` to the version that the headers state; empty if there are none.
function(unicorn_read_version include_directory out)
    set(version "")
    set(header "${include_directory}/unicorn/unicorn.h")
    if(EXISTS "${header}")
        file(STRINGS "${header}" lines REGEX "^#define UC_API_(MAJOR|MINOR|PATCH) +[0-9]+")
        if("${lines}" MATCHES "MAJOR +([0-9]+).*MINOR +([0-9]+).*PATCH +([0-9]+)")
            set(version "${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
        endif()
    endif()
    set(${out} "${version}" PARENT_SCOPE)
endfunction()

# The archive is preferred: what is linked with it runs wherever it is copied. CMake gives the shared library an rpath.
function(unicorn_add_target include_directory library_directory)
    if(EXISTS "${library_directory}/libunicorn.a")
        add_library(unicorn STATIC IMPORTED GLOBAL)
        set_target_properties(unicorn PROPERTIES
            IMPORTED_LOCATION "${library_directory}/libunicorn.a" INTERFACE_LINK_LIBRARIES "m;pthread")
    elseif(EXISTS "${library_directory}/libunicorn.so")
        add_library(unicorn SHARED IMPORTED GLOBAL)
        set_target_properties(unicorn PROPERTIES IMPORTED_LOCATION "${library_directory}/libunicorn.so")
    else()
        return()
    endif()
    set_target_properties(unicorn PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${include_directory}")
endfunction()

# Makes the target of what is in two directories if it will do; else says in `unicorn_found` what is wrong with it.
function(unicorn_consider include_directory library_directory)
    unicorn_read_version("${include_directory}" version)
    if(version VERSION_GREATER_EQUAL unicorn_minimum)
        unicorn_add_target("${include_directory}" "${library_directory}")
    endif()
    if(TARGET unicorn)
        message(STATUS "Unicorn ${version}: ${library_directory}")
        set(unicorn_version "${version}" PARENT_SCOPE)
    elseif(version STREQUAL "")
        string(APPEND unicorn_found "  no unicorn/unicorn.h that states a version in ${include_directory}\n")
    elseif(version VERSION_LESS unicorn_minimum)
        string(APPEND unicorn_found "  version ${version} in ${include_directory}\n")
    else()
        string(APPEND unicorn_found
            "  version ${version} in ${include_directory}, no libunicorn in ${library_directory}\n")
    endif()
    set(unicorn_found "${unicorn_found}" PARENT_SCOPE)
endfunction()

set(unicorn_found "")
get_filename_component(unicorn_directory "${CMAKE_CURRENT_LIST_DIR}/../../build/unicorn" ABSOLUTE)
if(EXISTS "${unicorn_directory}/include")
    unicorn_consider("${unicorn_directory}/include" "${unicorn_directory}/lib")
endif()
if(NOT TARGET unicorn)
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
        pkg_get_variable(unicorn_system_include unicorn includedir)
        pkg_get_variable(unicorn_system_lib unicorn libdir)
        if(unicorn_system_include)
            unicorn_consider("${unicorn_system_include}" "${unicorn_system_lib}")
        endif()
    else()
        string(APPEND unicorn_found "  no pkg-config, which finds a system's\n")
    endif()
endif()
if(NOT TARGET unicorn)
    if(unicorn_found STREQUAL "")
        set(unicorn_found "  none, neither in ${unicorn_directory} nor by pkg-config\n")
    endif()
    message(FATAL_ERROR "Unicorn ${unicorn_minimum} or newer is needed for the simulator. Found:\n${unicorn_found}"
        "Fix: run ci/setup, or ci/unicorn alone, which brings Debian 13's into build/unicorn; then configure again.")
endif()
