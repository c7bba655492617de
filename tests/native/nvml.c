/* A stand-in for libnvidia-ml.so.1: it answers NVML's binary interface from a script.
 *
 * NVML_STAND_IN_SCRIPT names the script, read anew at every call, so that a test can change what
 * the GPUs do. NVML_STAND_IN_CALLS names a file that gets one line with the function's name for
 * each call. NVML_STAND_IN_OPENS names a file with a number that grows by one while the library is
 * initialized, as a kernel module counts who has its devices open. Lines of the script, words
 * separated by blanks:
 *
 *     driver 550.54.14              version of the driver
 *     gpu 00000000:01:00.0 GPU-1f2e NVIDIA GeForce RTX 3060
 *                                   a GPU; the lines that follow, up to the next one, are its
 *     value NAME N...               numbers that the function of that name answers
 *     error NAME CODE               it answers this nvmlReturn_t instead
 *     hang NAME PATH                it does not return before PATH exists
 *     process compute|graphics PID BYTES
 *     sample PID MICROSECONDS SM MEMORY ENCODER DECODER
 *
 * NAME is the function's name without "nvml" and "DeviceGet", such as UtilizationRates; `error`
 * and `hang` before the first `gpu` hold for functions that ask about no GPU. A function without
 * `value` answers "not supported", as a driver does.
 *
 * Signatures and layouts follow the documentation of the NVML API and what pynvml passes.
 * Built with -DOLD, it lacks what came with drivers 510 to 565.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, SMALL = 7 };
enum { MAX_GPUS = 8, MAX_NUMBERS = 8, MAX_LIST = 32 };

typedef int nvmlReturn_t;
typedef struct gpu *nvmlDevice_t;

struct gpu { int index; };
static struct gpu handles[MAX_GPUS];
static int initialized;

typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} Pci;
typedef struct { unsigned pid; unsigned long long memory; unsigned instance, compute; } Process;
typedef struct {
    unsigned pid;
    unsigned long long stamp;
    unsigned sm, memory, encoder, decoder;
} Sample;
typedef struct { unsigned version, fan, speed; } FanSpeed;
typedef struct {
    unsigned id, scope;
    long long stamp, latency;
    unsigned type;
    nvmlReturn_t answer;
    union { double d; unsigned u; unsigned long long ull; } value;
} Field;

/* What the script says about one function of one GPU, or about the library (index -1). */
typedef struct {
    nvmlReturn_t error;
    int count;
    unsigned long long numbers[MAX_NUMBERS];
} Answer;

typedef struct { char bus_id[32], uuid[96], name[96]; } Identity;

/* Calls `take` with the index of the GPU and the words of every line. */
static int script(void (*take)(void *, int, const char *, const char *), void *context)
{
    const char *path = getenv("NVML_STAND_IN_SCRIPT");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512], word[64];
    int index = -1, used;

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, " %63s%n", word, &used) != 1 || word[0] == '#')
            continue;
        if (!strcmp(word, "gpu"))
            index++;
        take(context, index, word, line + used);
    }
    fclose(file);
    return index + 1;
}

struct search { const char *name; int index; Answer *answer; };

static void find(void *context, int index, const char *word, const char *rest)
{
    struct search *search = context;
    char name[64], path[400];
    const char *next;
    int used;

    if (index != search->index || sscanf(rest, " %63s%n", name, &used) != 1)
        return;
    if (strcmp(name, search->name))
        return;
    next = rest + used;
    if (!strcmp(word, "error"))
        sscanf(next, "%d", &search->answer->error);
    else if (!strcmp(word, "hang") && sscanf(next, " %399s", path) == 1)
        while (access(path, F_OK))
            usleep(1000);
    else if (!strcmp(word, "value")) {
        search->answer->error = SUCCESS;
        search->answer->count = 0;
        while (search->answer->count < MAX_NUMBERS
               && sscanf(next, "%lli%n", (long long *)
                         &search->answer->numbers[search->answer->count], &used) == 1) {
            search->answer->count++;
            next += used;
        }
    }
}

static Answer ask(const char *name, int index, nvmlReturn_t otherwise)
{
    Answer answer = { otherwise, 0, { 0 } };
    struct search search = { name, index, &answer };
    const char *path = getenv("NVML_STAND_IN_CALLS");
    FILE *file = path ? fopen(path, "a") : NULL;

    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
    script(find, &search);
    return answer;
}

/* Fills `count` unsigned outputs from the script. */
static nvmlReturn_t fill(const char *name, nvmlDevice_t device, int count, ...)
{
    Answer answer;
    va_list outputs;

    if (!initialized)
        return UNINITIALIZED;
    answer = ask(name, device->index, NOT_SUPPORTED);
    if (answer.error)
        return answer.error;
    va_start(outputs, count);
    for (int i = 0; i < count; i++)
        *va_arg(outputs, unsigned *) = (unsigned)answer.numbers[i];
    va_end(outputs);
    return SUCCESS;
}

struct identities { int wanted; Identity *identity; };

static void identify(void *context, int index, const char *word, const char *rest)
{
    struct identities *search = context;

    if (index == search->wanted && !strcmp(word, "gpu"))
        sscanf(rest, " %31s %95s %95[^\n]", search->identity->bus_id, search->identity->uuid,
               search->identity->name);
}

static Identity identity(int index)
{
    Identity found = { "", "", "" };
    struct identities search = { index, &found };

    script(identify, &search);
    return found;
}

static void nothing(void *context, int index, const char *word, const char *rest)
{
    (void)context, (void)index, (void)word, (void)rest;
}

/* The library. */

static void count_opens(int change)
{
    const char *path = getenv("NVML_STAND_IN_OPENS");
    FILE *file = path ? fopen(path, "r+") : NULL;
    int count = 0;

    if (!file)
        return;
    if (fscanf(file, "%d", &count) == 1) {
        rewind(file);
        fprintf(file, "%d\n", count + change);
    }
    fclose(file);
}

nvmlReturn_t nvmlInitWithFlags(unsigned flags)
{
    Answer answer = ask("Init", -1, SUCCESS);

    (void)flags;
    if (!answer.error) {
        initialized++;
        count_opens(1);
    }
    return answer.error;
}

nvmlReturn_t nvmlShutdown(void)
{
    Answer answer = ask("Shutdown", -1, SUCCESS);

    if (!initialized)
        return UNINITIALIZED;
    initialized--;
    count_opens(-1);
    return answer.error;
}

const char *nvmlErrorString(nvmlReturn_t code)
{
    static char text[32];

    snprintf(text, sizeof text, "scripted error %d", code);
    return text;
}

static void version(void *context, int index, const char *word, const char *rest)
{
    (void)index;
    if (!strcmp(word, "driver"))
        sscanf(rest, " %79s", (char *)context);
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    char found[80] = "";
    Answer answer = ask("SystemGetDriverVersion", -1, SUCCESS);

    script(version, found);
    snprintf(text, length, "%s", found);
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count)
{
    Answer answer = ask("Count", -1, SUCCESS);

    *count = script(nothing, NULL);
    return answer.error;
}

static nvmlReturn_t handle(int index, nvmlDevice_t *device)
{
    Answer answer = ask("Handle", index, SUCCESS);

    if (answer.error)
        return answer.error;
    handles[index].index = index;
    *device = &handles[index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
    if (!initialized)
        return UNINITIALIZED;
    return (int)index < script(nothing, NULL) ? handle(index, device) : INVALID;
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    int count = script(nothing, NULL);
    const char *wanted = strchr(bus_id, ':');

    if (!initialized)
        return UNINITIALIZED;
    for (int i = 0; i < count && i < MAX_GPUS; i++)
        /* The kernel writes four digits of domain, NVML eight: both are understood. */
        if (wanted && !strcasecmp(strchr(identity(i).bus_id, ':'), wanted))
            return handle(i, device);
    ask("Handle", -1, SUCCESS);
    return NOT_FOUND;
}

/* The GPUs. */

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *text, unsigned length)
{
    Answer answer = ask("Name", device->index, SUCCESS);

    snprintf(text, length, "%s", identity(device->index).name);
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *text, unsigned length)
{
    Answer answer = ask("UUID", device->index, SUCCESS);

    snprintf(text, length, "%s", identity(device->index).uuid);
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, Pci *pci)
{
    Answer answer = ask("PciInfo", device->index, SUCCESS);

    memset(pci, 0, sizeof *pci);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%s", identity(device->index).bus_id);
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, Utilization *rates)
{
    return fill("UtilizationRates", device, 2, &rates->gpu, &rates->memory);
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, Memory *memory)
{
    Answer answer = ask("MemoryInfo", device->index, NOT_SUPPORTED);

    memory->total = answer.numbers[0];
    memory->used = answer.numbers[1] + answer.numbers[2];
    memory->free = memory->total - memory->used;
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *celsius)
{
    return sensor ? INVALID : fill("Temperature", device, 1, celsius);
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, unsigned which, unsigned *value)
{
    static const char *const names[] = { "Shutdown", "Slowdown", "MemoryMax", "GpuMax" };
    char name[64];

    if (which > 3)
        return INVALID;
    snprintf(name, sizeof name, "TemperatureThreshold%s", names[which]);
    return fill(name, device, 1, value);
}

nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned *count)
{
    return fill("NumFans", device, 1, count);
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned fan, unsigned *percent)
{
    Answer answer = ask("FanSpeed", device->index, NOT_SUPPORTED);

    if (answer.error || (int)fan >= answer.count)
        return answer.error ? answer.error : INVALID;
    *percent = (unsigned)answer.numbers[fan];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts)
{
    return fill("PowerUsage", device, 1, milliwatts);
}

nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *milliwatts)
{
    return fill("EnforcedPowerLimit", device, 1, milliwatts);
}

static const char *clock_name(unsigned kind, const char *graphics, const char *memory)
{
    return kind == 0 ? graphics : kind == 2 ? memory : "no such clock";
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, unsigned kind, unsigned *megahertz)
{
    return fill(clock_name(kind, "ClockGraphics", "ClockMemory"), device, 1, megahertz);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, unsigned kind, unsigned *megahertz)
{
    return fill(clock_name(kind, "MaxClockGraphics", "MaxClockMemory"), device, 1, megahertz);
}

nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, unsigned *state)
{
    return fill("PerformanceState", device, 1, state);
}

nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned *use, unsigned *period)
{
    return fill("EncoderUtilization", device, 2, use, period);
}

nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned *use, unsigned *period)
{
    return fill("DecoderUtilization", device, 2, use, period);
}

nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned *value)
{
    return fill("CurrPcieLinkGeneration", device, 1, value);
}

nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned *value)
{
    return fill("CurrPcieLinkWidth", device, 1, value);
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned *value)
{
    return fill("MaxPcieLinkGeneration", device, 1, value);
}

nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned *value)
{
    return fill("MaxPcieLinkWidth", device, 1, value);
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending)
{
    return fill("MigMode", device, 2, current, pending);
}

static nvmlReturn_t reasons(const char *name, nvmlDevice_t device, unsigned long long *bits)
{
    Answer answer = ask(name, device->index, NOT_SUPPORTED);

    *bits = answer.numbers[0];
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device,
                                                       unsigned long long *bits)
{
    return reasons("CurrentClocksThrottleReasons", device, bits);
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, Field *fields)
{
    Answer answer = ask("FieldValues", device->index, SUCCESS);

    for (int i = 0; i < count; i++) {
        /* 82: the memory's temperature */
        fields[i].answer = fields[i].id == 82 && answer.count ? SUCCESS : NOT_SUPPORTED;
        fields[i].type = 1;
        fields[i].value.u = (unsigned)answer.numbers[0];
    }
    return answer.error;
}

/* Their users. */

struct list { int index; const char *kind; Process *processes; Sample *samples;
              unsigned long long since; unsigned count; };

static void list_process(void *context, int index, const char *word, const char *rest)
{
    struct list *list = context;
    char kind[16];
    Process process = { 0, 0, ~0u, ~0u };

    if (index != list->index || strcmp(word, "process") || list->count == MAX_LIST)
        return;
    if (sscanf(rest, " %15s %u %llu", kind, &process.pid, &process.memory) != 3)
        return;
    if (!strcmp(kind, list->kind))
        list->processes[list->count++] = process;
}

static nvmlReturn_t processes(const char *name, const char *kind, nvmlDevice_t device,
                              unsigned *count, Process *given)
{
    Process found[MAX_LIST];
    struct list list = { device->index, kind, found, NULL, 0, 0 };
    Answer answer = ask(name, device->index, SUCCESS);
    unsigned room = *count;

    if (answer.error)
        return answer.error;
    script(list_process, &list);
    *count = list.count;
    if (room < list.count)
        return SMALL;
    if (given)
        memcpy(given, found, list.count * sizeof *found);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                     Process *given)
{
    return processes("ComputeRunningProcesses", "compute", device, count, given);
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                      Process *given)
{
    return processes("GraphicsRunningProcesses", "graphics", device, count, given);
}

static void list_sample(void *context, int index, const char *word, const char *rest)
{
    struct list *list = context;
    Sample sample;

    if (index != list->index || strcmp(word, "sample") || list->count == MAX_LIST)
        return;
    if (sscanf(rest, " %u %llu %u %u %u %u", &sample.pid, &sample.stamp, &sample.sm,
               &sample.memory, &sample.encoder, &sample.decoder) == 6
        && sample.stamp > list->since)
        list->samples[list->count++] = sample;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, Sample *given, unsigned *count,
                                             unsigned long long since)
{
    Sample found[MAX_LIST];
    struct list list = { device->index, NULL, NULL, found, since, 0 };
    Answer answer = ask("ProcessUtilization", device->index, SUCCESS);
    unsigned room = *count;

    if (answer.error)
        return answer.error;
    script(list_sample, &list);
    if (!list.count)
        return NOT_FOUND;
    /* As the real one: room for a hundred is asked for, and what is not used stays zero. */
    *count = 100;
    if (!given || room < 100)
        return SMALL;
    memset(given, 0, room * sizeof *given);
    memcpy(given, found, list.count * sizeof *found);
    return SUCCESS;
}

/* What newer drivers have. */

#ifndef OLD

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, Memory2 *memory)
{
    Answer answer = ask("MemoryInfo", device->index, NOT_SUPPORTED);

    if (memory->version != (sizeof *memory | 2u << 24))
        return 25;
    memory->total = answer.numbers[0];
    memory->used = answer.numbers[1];
    memory->reserved = answer.numbers[2];
    memory->free = memory->total - memory->used - memory->reserved;
    return answer.error;
}

nvmlReturn_t nvmlDeviceGetFanSpeedRPM(nvmlDevice_t device, FanSpeed *speed)
{
    if (speed->version != (sizeof *speed | 1u << 24))
        return 25;
    return fill("FanSpeedRPM", device, 1, &speed->speed);
}

nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *bits)
{
    return reasons("CurrentClocksEventReasons", device, bits);
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                     Process *given)
{
    return processes("ComputeRunningProcesses", "compute", device, count, given);
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                      Process *given)
{
    return processes("GraphicsRunningProcesses", "graphics", device, count, given);
}

#endif
