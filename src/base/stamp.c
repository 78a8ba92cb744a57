#include "base/stamp.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { DAY_S = 86400 };

/* Both count days since 1970-01-01 in the Gregorian calendar. Their years begin in March, so that the leap day comes
 * last. */
static void date_of_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468; /* since 0000-03-01 */
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t days_of_date(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void stamp_text(char out[STAMP_BYTES], int64_t time_ns)
{
    if (time_ns < 0)
        time_ns = 0;
    unsigned of_day = (unsigned)(time_ns / NS_PER_S % DAY_S);
    int year, month, day;
    date_of_days(time_ns / NS_PER_S / DAY_S, &year, &month, &day);
    snprintf(out, STAMP_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%06uZ", (unsigned)year % 10000, (unsigned)month % 100,
             (unsigned)day % 100, of_day / 3600 % 24, of_day / 60 % 60, of_day % 60,
             (unsigned)(time_ns % NS_PER_S / 1000) % 1000000);
}

/* `digits` decimal digits at *at. */
static bool number(const char **at, int digits, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++) {
        if (**at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return true;
}

static bool letter(const char **at, char c)
{
    return *(*at)++ == c;
}

/* "10m" */
static bool parse_ago(const char *text, int64_t now_ns, int64_t *out)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, DAY_S};
    size_t n = strspn(text, "0123456789");
    const char *at = text;
    int count;
    const char *unit = n && n <= 6 && text[n] ? strchr(units, text[n]) : NULL;
    if (!unit || text[n + 1] != '\0' || !number(&at, (int)n, &count))
        return false;
    *out = now_ns - count * seconds[unit - units] * NS_PER_S;
    return true;
}

/* "04:00", "04:00:30", "04:00:30.5": moves *at behind it. */
static bool parse_clock(const char **at, int64_t *ns)
{
    int hour, minute, second = 0;
    int64_t unit = NS_PER_S;
    *ns = 0;
    if (!number(at, 2, &hour) || !letter(at, ':') || !number(at, 2, &minute))
        return false;
    if (**at == ':' && (++*at, !number(at, 2, &second)))
        return false;
    if (**at == '.')
        for (++*at; **at >= '0' && **at <= '9'; ++*at) {
            unit /= 10;
            *ns += (**at - '0') * unit;
        }
    *ns += (int64_t)(hour * 3600 + minute * 60 + second) * NS_PER_S;
    return hour < 24 && minute < 60 && second < 61;
}

static bool parse_date(const char **at, int64_t *days)
{
    int year, month, day;
    if (!number(at, 4, &year) || !letter(at, '-') || !number(at, 2, &month) || !letter(at, '-') || !number(at, 2, &day))
        return false;
    *days = days_of_date(year, month, day);
    return year >= 1970 && year <= 2200 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool stamp_parse(const char *text, int64_t now_ns, int64_t *time_ns)
{
    int64_t days = now_ns / NS_PER_S / DAY_S, ns;
    const char *at = text;
    if (parse_ago(text, now_ns, time_ns))
        return true;
    if (parse_clock(&at, &ns) && *at == '\0') {
        *time_ns = days * DAY_S * NS_PER_S + ns;
        return true;
    }
    at = text;
    if (!parse_date(&at, &days) || !letter(&at, 'T') || !parse_clock(&at, &ns) || at[0] != 'Z' || at[1] != '\0')
        return false;
    *time_ns = days * DAY_S * NS_PER_S + ns;
    return true;
}
