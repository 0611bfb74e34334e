/* top_screen.c - the terminal: raw keys, the other screen, signals, size.
 *
 * Signals are blocked but while it waits for keys, so that none comes between looking
 * at what has come and waiting.  SIGINT, SIGTERM and SIGHUP end the program by its own
 * way out, which gives the terminal back; so does SIGTSTP before it stops. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/top.h"
#include "core/clock.h"

static const int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, SIGCONT};
#define N_HANDLED (sizeof(handled) / sizeof(*handled))

static volatile sig_atomic_t ended_by, stopped, resized;
static struct termios before;
static sigset_t outside; /* signals that were blocked when it began */

static void on_signal(int signo)
{
    if (signo == SIGTSTP)
        stopped = 1;
    else if (signo == SIGWINCH || signo == SIGCONT)
        resized = 1;
    else
        ended_by = signo;
}

static bool write_all(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDOUT_FILENO, text, size);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
    return true;
}

static bool write_text(const char *text)
{
    return write_all(text, strlen(text));
}

/* Ctrl-C and Ctrl-Z stay signals. */
static int take(void)
{
    struct termios raw = before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
        return -1;
    return write_text("\033[?1049h\033[?25l\033[H\033[2J") ? 0 : -1;
}

static void give_back(void)
{
    (void)write_text("\033[0m\033[?25h\033[?1049l");
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

int top_screen_enter(swim_error_t *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "stdin or stdout is no terminal (use --once)");
    const char *term = getenv("TERM");
    if (!term || !term[0] || strcmp(term, "dumb") == 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "TERM is \"%s\", so the terminal is taken for one that "
                              "cannot be drawn on (use --once, or set TERM)",
                              term ? term : "");
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return swim_error_sys(err, errno, "ask for the state of the terminal");
    sigemptyset(&set);
    for (size_t i = 0; i < N_HANDLED; i++)
        sigaddset(&set, handled[i]);
    sigprocmask(SIG_BLOCK, &set, &outside);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_HANDLED; i++) {
        (void)sigaction(handled[i], &action, NULL);
        sigdelset(&outside, handled[i]); /* also where the parent had blocked it */
    }
    if (take() < 0) {
        int rc = swim_error_sys(err, errno, "take the terminal");
        give_back();
        return rc;
    }
    return SWIM_OK;
}

void top_screen_leave(void)
{
    give_back();
}

int top_screen_signal(void)
{
    return ended_by;
}

void top_screen_size(int *columns, int *lines)
{
    struct winsize size = {0};

    *columns = 80;
    *lines = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_row > 0) {
        *columns = size.ws_col;
        *lines = size.ws_row;
    }
}

bool top_screen_draw(const char *text, size_t size)
{
    bool done = write_text("\033[H");

    while (done && size > 0) {
        size_t length = 0;
        while (length < size && text[length] != '\n')
            length++;
        /* The last line has no end, or the screen would scroll. */
        done = write_all(text, length) && write_text("\033[0m\033[K");
        if (done && length < size)
            done = write_text("\r\n");
        length += length < size;
        text += length;
        size -= length;
    }
    return done && write_text("\033[J");
}

/* --- keys
 * ----------------------------------------------------------------------------- */

static int key_of(const char *bytes, size_t n)
{
    static const struct {
        const char *bytes;
        int key;
    } keys[] = {{"\033[A", TOP_KEY_UP},       {"\033OA", TOP_KEY_UP},
                {"\033[B", TOP_KEY_DOWN},     {"\033OB", TOP_KEY_DOWN},
                {"\033[5~", TOP_KEY_PAGE_UP}, {"\033[6~", TOP_KEY_PAGE_DOWN},
                {"\033[H", TOP_KEY_HOME},     {"\033[1~", TOP_KEY_HOME},
                {"\033OH", TOP_KEY_HOME},     {"\033[F", TOP_KEY_END},
                {"\033[4~", TOP_KEY_END},     {"\033OF", TOP_KEY_END},
                {"\033", TOP_KEY_BACK},       {"\177", TOP_KEY_BACK},
                {"\b", TOP_KEY_BACK},         {"\r", TOP_KEY_ENTER},
                {"\n", TOP_KEY_ENTER},        {"\t", TOP_KEY_TAB}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (strlen(keys[i].bytes) == n && memcmp(keys[i].bytes, bytes, n) == 0)
            return keys[i].key;
    if (n == 1 && bytes[0] >= ' ' && bytes[0] <= '~')
        return TOP_KEY_LETTER + bytes[0];
    return TOP_KEY_NONE;
}

/* Keys that came together are taken one after the other. */
static struct {
    char bytes[64];
    size_t n;
} typed;

static int key_take(void)
{
    size_t n = 1;

    if (typed.bytes[0] == '\033' && typed.n > 1 &&
        (typed.bytes[1] == '[' || typed.bytes[1] == 'O')) {
        n = 2; /* parameters, then a letter or '~' */
        while (n < typed.n && (typed.bytes[n] < '@' || typed.bytes[n] > '~'))
            n++;
        n += n < typed.n;
    }
    int key = key_of(typed.bytes, n);
    typed.n -= n;
    memmove(typed.bytes, typed.bytes + n, typed.n);
    return key;
}

static int signals_take(void)
{
    if (ended_by)
        return TOP_KEY_SIGNAL;
    if (stopped) {
        stopped = 0;
        give_back();
        (void)raise(SIGSTOP);
        if (take() < 0)
            return TOP_KEY_GONE;
        resized = 1;
    }
    if (!resized)
        return TOP_KEY_NONE;
    resized = 0;
    return TOP_KEY_RESIZE;
}

int top_screen_key(int64_t until_ns)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t left = until_ns - swim_clock_mono_ns();

    if (typed.n > 0)
        return key_take();
    if (left < 0)
        left = 0;
    const struct timespec wait = {.tv_sec = left / 1000000000,
                                  .tv_nsec = left % 1000000000};
    int n = ppoll(&fd, 1, &wait, &outside);
    int key = signals_take();
    if (key != TOP_KEY_NONE || n <= 0)
        return key;
    ssize_t got = read(STDIN_FILENO, typed.bytes, sizeof(typed.bytes));
    if (got <= 0)
        return got < 0 && (errno == EINTR || errno == EAGAIN) ? TOP_KEY_NONE
                                                              : TOP_KEY_GONE;
    typed.n = (size_t)got;
    return key_take();
}
