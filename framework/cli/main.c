/* main.c - the h5swim command: finds the verb and hands over. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("h5swim 0.1.0");
        return 0;
    }
    fputs("usage: h5swim COMMAND [ARGUMENT...]\n", stderr);
    return 2;
}
