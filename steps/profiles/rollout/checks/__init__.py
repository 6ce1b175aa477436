"""Invariants: checks that hold for every rollout of a run, whatever the case is about.

`IDS` are the requirements for which an invariant finds evidence. A case about any other requirement gives the evidence itself:
when all its expectations are met, the requirement was kept.
"""

IDS = frozenset(
    f"ROLLOUT-{number}"
    for number in (
        "001", "002", "005", "006", "007", "008", "010", "011", "013", "020", "025", "027", "036", "042",
        "045", "046", "047", "048", "049", "050", "051", "052", "053", "054", "055", "056", "057", "058", "059",
        "060", "061", "063", "064", "065", "066", "071", "086", "093", "094", "095", "096", "104", "105",
        "109", "112", "113", "114", "115", "116", "117", "118", "119", "120", "121", "122", "123", "124", "125",
        "126", "130", "131", "132", "133", "134", "136", "137", "138", "140", "142", "143", "148", "149", "150",
        "151", "152", "154", "159", "166", "167", "168", "175", "176", "177",
    )
)
