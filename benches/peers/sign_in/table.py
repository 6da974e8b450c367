"""What was measured, by what, at whom and for how many groups: medians of the rounds."""

import statistics


class Table:
    def __init__(self):
        self.runs = {}

    def add(self, row, microseconds):
        self.runs.setdefault(row, []).append(microseconds)

    def print(self):
        print("| what | who | groups | CPU, median | from, to |\n| --- | --- | --- | --- | --- |")
        for (what, who, size), runs in sorted(self.runs.items(), key=lambda item: (item[0][0], item[0][2])):
            print(f"| {what} | {who} | {size} | {statistics.median(runs):,.0f} us | {min(runs):,.0f}, {max(runs):,.0f} |")
