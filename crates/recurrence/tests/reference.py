"""A second, slow and plain answer to the question when a recurrence fires, and the cases to ask it for.

Called by cross_check.rs: `python3 reference.py <directory of TZif files> <seed> <cases>`. Prints one JSON object a line:
expr, zone, anchor, after, until, max, expected (instants in microseconds since 1970 UTC). Python 3.9 or later, nothing but
its standard library; zones come from the directory alone.

Nothing here is taken from the Rust side. Expressions are read by other means (regular expressions, sets of integers),
calendars are `datetime`, zones are `zoneinfo`, and nothing is searched for: every minute or second of a window is visited.
  * fixed hour: every civil time of the window is tried. What survives the round trip local -> UTC -> local fires there
    (fold=0, the first of two); what does not lies in a gap, whose end is found by stepping through UTC.
  * any hour: every instant of the window is turned into local time and compared.
  * windows of years: every day is visited, and the times of matching days take the round trip with fold=0 and fold=1.
"""

import calendar
import json
import random
import re
import sys
import zoneinfo
from datetime import date, datetime, timedelta

EPOCH = datetime(1970, 1, 1)
IN_ZONE = {}
MONTH_NAMES = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAY_NAMES = "SUN MON TUE WED THU FRI SAT".split()
SHORT = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}
MAX_ANSWERS = 300
# Places whose clocks did something unusual, always among the zones.
UNUSUAL = """Pacific/Apia Pacific/Kwajalein Pacific/Fakaofo Pacific/Kiritimati Pacific/Enderbury Australia/Lord_Howe Africa/Cairo
Africa/Casablanca Africa/El_Aaiun America/Sao_Paulo America/Asuncion America/Havana America/Santiago America/Godthab
America/Scoresbysund America/St_Johns America/Caracas America/Juneau America/Metlakatla Asia/Manila Asia/Pyongyang
Asia/Kathmandu Asia/Tehran Asia/Gaza Asia/Beirut Asia/Amman Asia/Damascus Asia/Kolkata Asia/Dhaka Antarctica/Troll
Antarctica/Casey Antarctica/Macquarie Europe/Dublin Europe/London Europe/Vienna Europe/Lisbon Europe/Istanbul Europe/Moscow
Europe/Chisinau Africa/Windhoek Africa/Monrovia Africa/Juba Pacific/Chatham Pacific/Norfolk Pacific/Easter America/New_York
Atlantic/Azores UTC""".split()


# ---- zones -------------------------------------------------------------------------------------------------------------

def local(zone, second):
    """The civil time in the zone at a UTC second."""
    if zone not in IN_ZONE:
        IN_ZONE[zone] = EPOCH.replace(tzinfo=zone)
    return zone.fromutc(IN_ZONE[zone] + timedelta(seconds=second)).replace(tzinfo=None, fold=0)


def to_utc(zone, civil, fold):
    """The UTC second zoneinfo has for a civil time, whether it exists or not."""
    offset = civil.replace(tzinfo=zone, fold=fold).utcoffset()
    return round((civil - EPOCH - offset).total_seconds())


def seconds_of(civil):
    return round((civil - EPOCH).total_seconds())


def changes(zone, first_year, last_year):
    """UTC seconds at which the zone's offset changes, by looking at every fifth day and halving."""
    found = []
    offset = lambda second: seconds_of(local(zone, second)) - second
    day, end, step = seconds_of(datetime(first_year, 1, 1, 12)), seconds_of(datetime(last_year, 1, 1, 12)), 5 * 86400
    before = offset(day)
    while day < end:
        after = offset(day + step)
        if after != before:
            low, high = day, day + step
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            found.append(high)
        before, day = after, day + step
    return found


class Gaps:
    """Finds the end of the gap in which a civil time lies."""

    def __init__(self, zone):
        self.zone, self.last = zone, None

    def end(self, civil):
        if self.last and self.last[0] < civil < self.last[1]:
            return self.last[2]
        second = seconds_of(civil) - 27 * 3600
        while local(self.zone, second) < civil:
            second += 60
        second -= 60
        while local(self.zone, second) < civil:
            second += 1
        self.last = (local(self.zone, second - 1), local(self.zone, second), second)
        return second


# ---- expressions -------------------------------------------------------------------------------------------------------

class Expression:
    def __init__(self, text):
        fields = SHORT.get(text, text).upper().split()
        if len(fields) == 5:
            fields.insert(0, "0")
        self.second = self.numbers(fields[0], 0, 59)
        self.minute = self.numbers(fields[1], 0, 59)
        self.hour = self.numbers(fields[2], 0, 23)
        self.month = self.numbers(fields[4], 1, 12, MONTH_NAMES, 1)
        self.day_field, self.week_field = fields[3], fields[5]
        self.any_hour = bool(set("*?/") & set(fields[2])) or self.hour == set(range(24))

    @staticmethod
    def numbers(field, low, high, names=(), first=0):
        for index, name in enumerate(names):
            field = re.sub(name, str(index + first), field)
        result = set()
        for item in field.split(","):
            match = re.fullmatch(r"(?:([*?])|(\d+)(?:-(\d+))?)(?:/(\d+))?", item)
            star, begin, end, step = match.groups()
            if star:
                begin, end = low, high
            elif end is None:
                end = high if step else begin
            result |= set(range(int(begin), int(end) + 1, int(step or 1)))
        return result

    def day_of_month(self, day):
        last = calendar.monthrange(day.year, day.month)[1]
        plain = [item for item in self.day_field.split(",") if item != "L"]
        if "L" in self.day_field.split(",") and day.day == last:
            return True
        return bool(plain) and day.day in self.numbers(",".join(plain), 1, 31)

    def day_of_week(self, day):
        field = re.sub("-SUN", "-7", self.week_field)
        for index, name in enumerate(DAY_NAMES):
            field = re.sub(name, str(index), field)
        for item in field.split(","):
            if "#" in item:
                weekday, nth = map(int, item.split("#"))
                begin = day.replace(day=1)
                same = [begin + timedelta(n) for n in range(31) if (begin + timedelta(n)).month == day.month
                        and (begin + timedelta(n)).isoweekday() == (weekday or 7)]
                if nth <= len(same) and same[nth - 1] == day:
                    return True
            elif item.endswith("L"):
                if day.isoweekday() == (int(item[:-1]) or 7) and (day + timedelta(7)).month != day.month:
                    return True
            elif {7 if n == 0 else n for n in self.numbers(item, 0, 6)} & {day.isoweekday()}:
                return True
        return False

    def on_day(self, day):
        if day.month not in self.month:
            return False
        if self.day_field[0] in "*?" or self.week_field[0] in "*?":
            return self.day_of_month(day) and self.day_of_week(day)
        return self.day_of_month(day) or self.day_of_week(day)


def every(text, anchor, after, until):
    unit = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    period = sum(int(n) * unit[u] for n, u in re.findall(r"(\d+)([dhms])", text.split()[1])) * 1_000_000
    instant, found = anchor + period, []
    while instant <= until and len(found) < MAX_ANSWERS:
        if instant > after:
            found.append(instant)
        instant += period
    return found


# ---- answers -----------------------------------------------------------------------------------------------------------

class Window:
    """All instants and all civil times between two UTC seconds, `grain` seconds apart, worked out once for many expressions."""

    def __init__(self, zone, low, high, grain):
        self.instants = [(second, local(zone, second)) for second in range(low, high, grain)]
        self.civil, gaps = [], Gaps(zone)
        shown = [civil for _, civil in self.instants]
        civil, end = min(shown), max(shown)
        while civil <= end:
            second = to_utc(zone, civil, 0)
            if local(zone, second) != civil:
                second = gaps.end(civil)
            self.civil.append((second, civil))
            civil += timedelta(seconds=grain)

    def fires(self, expression):
        second, minute, hour, days = expression.second, expression.minute, expression.hour, {}
        found = set()
        for instant, civil in self.instants if expression.any_hour else self.civil:
            if civil.minute in minute and civil.hour in hour and civil.second in second:
                day = civil.date()
                if day not in days:
                    days[day] = expression.on_day(day)
                if days[day]:
                    found.add(instant)
        return sorted(found)


def fires_in_years(zone, expression, low, high):
    gaps, found, day = Gaps(zone), set(), local(zone, low).date() - timedelta(2)
    while day <= local(zone, high).date() + timedelta(2):
        if expression.on_day(day):
            for hour, minute, second in ((h, m, s) for h in expression.hour for m in expression.minute for s in expression.second):
                civil = datetime(day.year, day.month, day.day, hour, minute, second)
                real = {u for u in (to_utc(zone, civil, 0), to_utc(zone, civil, 1)) if local(zone, u) == civil}
                if expression.any_hour:
                    found |= real
                else:
                    found.add(min(real) if real else gaps.end(civil))
        day += timedelta(1)
    return sorted(found)


# ---- cases -------------------------------------------------------------------------------------------------------------

class Maker:
    def __init__(self, seed, directory):
        self.random = random.Random(seed)
        zoneinfo.reset_tzpath([directory])
        names = sorted(zoneinfo.available_timezones() - {"Factory"})
        chosen = dict.fromkeys([n for n in UNUSUAL if n in names] + self.random.sample(names, 110))
        self.zones = {name: zoneinfo.ZoneInfo(name) for name in chosen}
        # Only what the directory holds is asked for: an installed package must not fill in.
        self.changes = {name: changes(zone, 1880 if name in UNUSUAL else 1970, 2045) for name, zone in self.zones.items()}
        self.moving = [name for name, found in self.changes.items() if found]

    def item(self, low, high, near=None):
        r = self.random
        value = lambda: min(high, max(low, near + r.randint(-2, 2))) if near is not None and r.random() < 0.6 else r.randint(low, high)
        kind, a, b = r.random(), value(), value()
        a, b = min(a, b), max(a, b)
        if kind < 0.25:
            return r.choice(["*", "*", "*", "?"])
        if kind < 0.35:
            return f"*/{r.randint(1, max(1, high))}"
        if kind < 0.70:
            return f"{a:02}" if r.random() < 0.1 else str(a)
        if kind < 0.85:
            return f"{a}-{b}"
        return f"{a}-{b}/{r.randint(1, max(1, high))}" if kind < 0.94 else f"{a}/{r.randint(1, max(1, high))}"

    def field(self, low, high, near=None):
        count = self.random.choice([1, 1, 1, 2, 3])
        return ",".join(self.item(low, high, near) for _ in range(count))

    def month(self, near):
        r = self.random
        if r.random() < 0.7:
            return "*"
        return r.choice([str(near), MONTH_NAMES[near - 1].lower(), MONTH_NAMES[near - 1], "JAN-DEC/2", self.field(1, 12, near)])

    def days(self, near):
        r = self.random
        day = "*" if r.random() < 0.6 else r.choice([str(near.day), "L", "15,L", self.field(1, 31, near.day)])
        name = DAY_NAMES[near.isoweekday() % 7]
        week = "*" if r.random() < 0.6 else r.choice([
            name, name.lower(), str(near.isoweekday()), "1-5", "MON-FRI", "FRI-SUN", "5-7", "0", "7", "?", "*/2", "*/7", f"{name}#{r.randint(1, 5)}",
            f"{near.isoweekday()}L", f"{name}L", "sun,2-4", self.field(0, 6)])
        return day, week

    def expression(self, civil, seconds):
        r = self.random
        if not seconds and r.random() < 0.04:
            return r.choice(sorted(SHORT))
        day, week = self.days(civil)
        hour = r.choice(["*", "*/2", "*/3", str(civil.hour)]) if r.random() < 0.3 else self.field(0, 23, civil.hour)
        fields = [self.field(0, 59), hour, day, self.month(civil.month), week]
        if seconds:
            # Rare enough that the answers reach past the change.
            fields = [self.field(0, 59) if r.random() < 0.3 else str(r.randint(0, 59))] + fields
        return " ".join(fields)

    def pick_change(self, whole_minutes):
        while True:
            name = self.random.choice(self.moving)
            zone, change = self.zones[name], self.random.choice(self.changes[name])
            offsets = [seconds_of(local(zone, change + n)) - change - n for n in (-1, 0)]
            if not whole_minutes or (change % 60 == 0 and all(offset % 60 == 0 for offset in offsets)):
                return name, zone, change

    def begin(self, change, spread):
        """A time in microseconds at which to begin, often a telling one."""
        r = self.random
        exact = r.choice([change, change - 1, change + 1, change - 1800, change + 1800, change - 3600, change + 3599])
        second = exact if r.random() < 0.3 else change - r.randint(-spread // 2, spread)
        return second * 1_000_000 + r.choice([0, 0, 1, 999_999, r.randint(0, 999_999)])

    def round_changes(self, cases, per_window, span, grain):
        """Cases within `span` seconds of a change of offset."""
        while cases > 0:
            name, zone, change = self.pick_change(grain == 60)
            window = Window(zone, change - span, change + span, grain)
            for _ in range(min(per_window, cases)):
                text = self.expression(local(zone, change + self.random.choice([-1, 0])), grain == 1)
                after = self.begin(change, span * 3 // 4)
                until = min(after + self.random.randint(1, 2 * span) * 1_000_000, (change + span - 1) * 1_000_000)
                fires = [second * 1_000_000 for second in window.fires(Expression(text))]
                # An expression that never fires is refused, so it is no case.
                if fires or self.fires_ever(text):
                    yield self.case(text, name, 0, after, until, fires)
            cases -= per_window

    def over_years(self, cases):
        """Sparse expressions over up to 40 years."""
        r = self.random
        for _ in range(cases):
            name = r.choice(sorted(self.zones))
            low = r.randint(seconds_of(datetime(1900, 1, 1)), seconds_of(datetime(2120, 1, 1)))
            high = low + r.randint(1, 40 * 365) * 86400
            near = local(self.zones[name], low)
            day, week = r.choice([
                ("29", "*"), ("29", "*/7"), ("*", "1#5"), ("31", "*"), ("L", "*"), ("*/31", "0"), ("13", "5"), ("*", "5L"),
                ("1-7", "*/3"), self.days(near), self.days(near)])
            month = r.choice(["2", "2", "FEB", "*/5", str(near.month), "3,10", "4-11/7"])
            hour = r.choice([str(r.randint(0, 23)), "0", "2", "*/12", "0,2", "1-3"])
            text = f"{r.randint(0, 59)} {hour} {day} {month} {week}"
            after, until = low * 1_000_000 + r.randint(0, 999_999), high * 1_000_000
            fires = [second * 1_000_000 for second in fires_in_years(self.zones[name], Expression(text), low, high)]
            if fires or self.fires_ever(text):
                yield self.case(text, name, 0, after, until, fires)

    @staticmethod
    def fires_ever(text):
        expression, day = Expression(text), date(1996, 1, 1)
        while day.year < 2036:
            if expression.on_day(day):
                return True
            day += timedelta(1)
        return False

    def periods(self, cases):
        r = self.random
        for _ in range(cases):
            text = "@every " + r.choice(["1s", "90s", "7m", "1h30m", "2d", "1d1h1m1s", f"{r.randint(1, 400)}h", f"{r.randint(1, 99999)}s"])
            anchor = r.randint(0, 2_000_000_000_000_000)
            after = anchor + r.randint(-10_000_000_000, 50_000_000_000) * r.choice([0, 1, 1, 1])
            until = after + r.randint(0, 500_000_000_000)
            yield self.case(text, r.choice(self.moving), anchor, after, until, every(text, anchor, after, until))

    @staticmethod
    def case(text, zone, anchor, after, until, fires):
        expected = [instant for instant in fires if after < instant <= until][:MAX_ANSWERS]
        return {"expr": text, "zone": zone, "anchor": anchor, "after": after, "until": until, "max": MAX_ANSWERS, "expected": expected}


def main():
    directory, seed, cases = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    maker = Maker(seed, directory)
    share = lambda part: cases * part // 100
    for source in (
        maker.round_changes(share(68), 20, 40 * 3600, 60),
        maker.round_changes(share(20), 12, 5400, 1),
        maker.over_years(share(8)),
        maker.periods(share(4)),
    ):
        for case in source:
            print(json.dumps(case))


main()
