/* As csolution writes it for a device. */
#ifndef RTE_COMPONENTS_H
#define RTE_COMPONENTS_H

#define CMSIS_device_header "device.h"

#endif
