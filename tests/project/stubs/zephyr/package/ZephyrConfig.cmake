# Zephyr's CMake package as far as the projects need it: what they add is built for this machine.
# STUB is the folder of the stubs, STUB_CONFIG a file that sets CONFIG_... and autoconf.h beside it.
if(NOT DEFINED BOARD)
  message(FATAL_ERROR "BOARD is not defined")
endif()
message(STATUS "BOARD ${BOARD}")
project(Zephyr-Kernel LANGUAGES C)
include(${STUB_CONFIG}/config.cmake)

add_compile_options(-std=gnu99 -Wall -Wextra -Werror -ffunction-sections -fdata-sections)
add_compile_options(-include ${STUB_CONFIG}/autoconf.h)
include_directories(${STUB}/include)

add_library(app STATIC)
target_compile_definitions(app PRIVATE main=app_main)
add_executable(zephyr ${STUB}/host.c)

macro(zephyr_library_named name)
  add_library(${name} STATIC)
  set(stub_library ${name})
  target_link_libraries(zephyr PRIVATE ${name})
endmacro()

macro(zephyr_library_sources)
  target_sources(${stub_library} PRIVATE ${ARGN})
endmacro()

# For all libraries, the application's too.
macro(zephyr_include_directories)
  target_include_directories(app PRIVATE ${ARGN})
  target_include_directories(${stub_library} PRIVATE ${ARGN})
endmacro()

target_link_libraries(zephyr PRIVATE app)
foreach(stub_module ${ZEPHYR_EXTRA_MODULES})
  if(NOT EXISTS ${stub_module}/zephyr/module.yml)
    message(FATAL_ERROR "${stub_module} is no module")
  endif()
  add_subdirectory(${stub_module}/zephyr modules)
endforeach()
