/* Sends the registers of a fault to the host. */
#ifndef HARNESS_FAULT_H
#define HARNESS_FAULT_H

/* Handler of every exception; none is expected. */
void harness_fault_handler(void);

#endif
