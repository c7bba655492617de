/* A program that only uses the processor, for half a minute at most, under any name.
 *
 * BURNER_TITLE: what stands in its command line instead of the words that it was started with, as
 *     daemons write there what they are about (setproctitle, PostgreSQL, nginx).
 * BURNER_COMM: what it calls itself by prctl.
 * BURNER_RUNS: a command, words separated by blanks, that it starts and waits for instead, as
 *     launchers do.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 30, MOST_WORDS = 16 };

int main(int count, char **words) {
    char *title = getenv("BURNER_TITLE"), *comm = getenv("BURNER_COMM");
    char *runs = getenv("BURNER_RUNS");
    if (title) title = strdup(title);
    if (comm) comm = strdup(comm);
    if (runs) runs = strdup(runs);
    unsetenv("BURNER_TITLE"), unsetenv("BURNER_COMM"), unsetenv("BURNER_RUNS");
    if (title) {
        char *last = words[count - 1];
        size_t room = (size_t)(last + strlen(last) - words[0]) + 1;
        memset(words[0], 0, room);
        strncpy(words[0], title, room - 1);
    }
    if (comm) prctl(PR_SET_NAME, comm);
    alarm(SECONDS);
    if (runs) {
        char *line[MOST_WORDS + 1] = {0};
        int number = 0;
        for (char *word = strtok(runs, " "); word && number < MOST_WORDS; word = strtok(NULL, " "))
            line[number++] = word;
        if (fork() == 0) {
            execvp(line[0], line);
            _exit(127);
        }
        while (wait(NULL) > 0) {}
        return 0;
    }
    for (volatile unsigned number = 1;;) number = number * 1103515245u + 12345u;
}
