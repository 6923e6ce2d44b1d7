/* Zephyr's names for what compilers offer, for compiling on this machine. */
#ifndef STUB_TOOLCHAIN_H
#define STUB_TOOLCHAIN_H

#define ARG_UNUSED(x) (void)(x)
#define BUILD_ASSERT(condition, message) _Static_assert(condition, message)
#define FUNC_NORETURN __attribute__((noreturn))
#define STRINGIFY_ARGUMENT(x) #x
#define STRINGIFY(x) STRINGIFY_ARGUMENT(x)
#define __aligned(x) __attribute__((aligned(x)))

#endif
