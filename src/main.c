#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "keeper/keeper.h"

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "guard the files that the policy names (the daemon, in the foreground)"},
    {"check", cmd_check, "say what is wrong with a policy; --strict also what is unwise"},
    {"explain", cmd_explain, "say what the policy decides for a program and a path, and why"},
    {"status", cmd_status, "how the running daemon is"},
    {"reload", cmd_reload, "make the running daemon read its policy again"},
    {"stop", cmd_stop, "end the running daemon"},
    {"events", cmd_events, "what was recorded; -f goes on as it happens"},
    {"harden", cmd_harden, "what it takes to give the programs of a rule a private group"},
    {"bench", cmd_bench, "what the policy costs on this machine"},
    {"selftest", cmd_selftest, "prove on this kernel that guarded files cannot be reached"},
    {"version", cmd_version, "the version of this program"},
    {"help", cmd_help, "this text; `fileward COMMAND --help` for one command"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage(FILE *out)
{
    fputs("fileward guards files: it asks who opens them and whether they may.\n\nusage: fileward COMMAND "
          "[OPTION]...\n\n",
          out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fputs(
        "\nThe policy is /etc/fileward/fileward.ini (-c FILE for another). Exit status: 0 fine or allowed, 1 failed,\n"
        "2 usage, 3 policy invalid or daemon not running, 4 not permitted, 5 would be denied.\n",
        out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static int cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    return usage(stdout);
}

static int cmd_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("fileward " FILEWARD_VERSION);
    return 0;
}

static int unknown(const char *word)
{
    fputs("fileward: there is no command `", stderr);
    text_print(stderr, word);
    fputs("`; these there are: fileward help\n", stderr);
    return EXIT_USAGE;
}

/* getopt begins its messages with the name of the program: for those of a command that is both words. */
static int run_command(const struct command *c, int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof name, "fileward %s", c->name);
    argv[0] = name;
    return c->run(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return run_command(&commands[i], argc - 1, argv + 1);
    return unknown(name);
}
