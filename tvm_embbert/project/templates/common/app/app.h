/* Programs around the model: classify lines of a console, count, test itself. They need of the board
 * what port.h declares; each is called once, and says what the board should exit with. */
#ifndef APP_H
#define APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Classifies each line of token ids; "selftest", "benchmark" and "help" are commands. Returns at the
 * end of the console, which a UART does not have: 0. */
int app_classify(void);

/* Counts inferences at several lengths; 0, or 1 if the model refused one. */
int app_benchmark(void);

/* Compares the model with the vectors that came with it; 0 if every byte is as expected. */
int app_selftest(void);

#ifdef __cplusplus
}
#endif

#endif
