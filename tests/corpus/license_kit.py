"""Short licence texts, with places to fill in, and labelled licence files of the packages that are installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

_GRANT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    'documentation files (the "Software"), to deal in the Software without restriction, including without '
    "limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the "
    "Software, and to permit persons to whom the Software is furnished to do so{end}"
)
_AS_IS = (
    'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED '
    "TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL "
    "THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF "
    "CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER "
    "DEALINGS IN THE SOFTWARE."
)
COPYRIGHT = "Copyright (c) 2021 Ada Lovelace and others\n\n"
MIT_BODY = (
    _GRANT.format(end=", subject to the following conditions:")
    + "\n\nThe above copyright notice and this permission notice shall be included in all copies or substantial "
    "portions of the Software.\n\n" + _AS_IS + "\n"
)
MIT = "MIT License\n\n" + COPYRIGHT + MIT_BODY
MIT_0 = "MIT No Attribution\n\n" + COPYRIGHT + _GRANT.format(end=".") + "\n\n" + _AS_IS + "\n"

_BSD_HEAD = (
    "Redistribution and use in source and binary forms, with or without modification, are permitted provided that "
    "the following conditions are met:\n\n"
    "1. Redistributions of source code must retain the above copyright notice, this list of conditions and the "
    "following disclaimer.\n\n"
    "2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the "
    "following disclaimer in the documentation and/or other materials provided with the distribution.\n\n"
)
_BSD_ADVERTISING = (
    "3. All advertising materials mentioning features or use of this software must display the following "
    "acknowledgement: This product includes software developed by {holder}.\n\n"
)
_BSD_NAMES = (
    "{number}. Neither the name of {holder} nor the names of its contributors may be used to endorse or promote "
    "products derived from this software without specific prior written permission.\n\n"
)
_BSD_TAIL = (
    'THIS SOFTWARE IS PROVIDED BY {HOLDER} "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED '
    "TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT "
    "SHALL {HOLDER} BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES "
    "(INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR "
    "BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR "
    "TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF "
    "THE POSSIBILITY OF SUCH DAMAGE.\n"
)


def bsd(clauses: int, holder: str = "the copyright holder") -> str:
    """The BSD licence with 2, 3 or 4 clauses."""
    middle = (_BSD_ADVERTISING if clauses == 4 else "") + (_BSD_NAMES if clauses > 2 else "")
    text = _BSD_HEAD + middle + _BSD_TAIL
    return COPYRIGHT + text.format(holder=holder, HOLDER=holder.upper(), number=clauses)


_ISC_GRANT = (
    "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby "
    "granted"
)
_ISC_TAIL = (
    '.\n\nTHE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE '
    "INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY "
    "SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA "
    "OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN "
    "CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.\n"
)
ISC = (
    COPYRIGHT
    + _ISC_GRANT
    + ", provided that the above copyright notice and this permission notice appear in all copies"
    + _ISC_TAIL
)
ZERO_BSD = COPYRIGHT + _ISC_GRANT + _ISC_TAIL
ZLIB = COPYRIGHT + (
    "This software is provided 'as-is', without any express or implied warranty. In no event will the authors be held "
    "liable for any damages arising from the use of this software.\n\nPermission is granted to anyone to use this "
    "software for any purpose, including commercial applications, and to alter it and redistribute it freely, subject "
    "to the following restrictions:\n\n1. The origin of this software must not be misrepresented; you must not claim "
    "that you wrote the original software. If you use this software in a product, an acknowledgment in the product "
    "documentation would be appreciated but is not required.\n2. Altered source versions must be plainly marked as "
    "such, and must not be misrepresented as being the original software.\n3. This notice may not be removed or "
    "altered from any source distribution.\n"
)
UNLICENSE = (
    "This is free and unencumbered software released into the public domain.\n\nAnyone is free to copy, modify, "
    "publish, use, compile, sell, or distribute this software, either in source code form or as a compiled binary, for "
    "any purpose, commercial or non-commercial, and by any means.\n\nIn jurisdictions that recognize copyright laws, "
    "the author or authors of this software dedicate any and all copyright interest in the software to the public "
    "domain. We make this dedication for the benefit of the public at large and to the detriment of our heirs and "
    "successors. We intend this dedication to be an overt act of relinquishment in perpetuity of all present and "
    "future rights to this software under copyright law.\n\n"
) + _AS_IS
BOOST = (
    "Boost Software License - Version 1.0 - August 17th, 2003\n\nPermission is hereby granted, free of charge, to any "
    "person or organization obtaining a copy of the software and accompanying documentation covered by this license "
    '(the "Software") to use, reproduce, display, distribute, execute, and transmit the Software, and to prepare '
    "derivative works of the Software, and to permit third-parties to whom the Software is furnished to do so, all "
    "subject to the following:\n\nThe copyright notices in the Software and this entire statement, including the above "
    "license grant, this restriction and the following disclaimer, must be included in all copies of the Software, in "
    "whole or in part, and all derivative works of the Software, unless such copies or derivative works are solely in "
    "the form of machine-executable object code generated by a source language processor.\n\n"
    'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO '
    "THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE, TITLE AND NON-INFRINGEMENT. IN NO EVENT "
    "SHALL THE COPYRIGHT HOLDERS OR ANYONE DISTRIBUTING THE SOFTWARE BE LIABLE FOR ANY DAMAGES OR OTHER LIABILITY, "
    "WHETHER IN CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR "
    "OTHER DEALINGS IN THE SOFTWARE.\n"
)
WTFPL = (
    "DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE\nVersion 2, December 2004\n\nEveryone is permitted to copy and "
    "distribute verbatim or modified copies of this license document, and changing it is allowed as long as the name "
    "is changed.\n\nDO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE\nTERMS AND CONDITIONS FOR COPYING, DISTRIBUTION AND "
    "MODIFICATION\n\n0. You just DO WHAT THE FUCK YOU WANT TO.\n"
)
APACHE_NOTICE = (
    'Licensed under the Apache License, Version 2.0 (the "License");\nyou may not use this file except in compliance '
    "with the License.\nYou may obtain a copy of the License at\n\n    http://www.apache.org/licenses/LICENSE-2.0\n\n"
    "Unless required by applicable law or agreed to in writing, software\ndistributed under the License is distributed "
    'on an "AS IS" BASIS,\nWITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.\nSee the License '
    "for the specific language governing permissions and\nlimitations under the License.\n"
)


def gpl_notice(version: str, later: bool, kind: str = "") -> str:
    """The notice of a GNU licence: `kind` is "", "Lesser " or "Affero "."""
    which = (
        f"either version {version} of the License, or (at your option) any later version"
        if later
        else f"version {version} of the License"
    )
    return (
        f"This program is free software: you can redistribute it and/or modify\nit under the terms of the GNU {kind}"
        f"General Public License as published by\nthe Free Software Foundation, {which}.\n\nThis program is "
        "distributed in the hope that it will be useful,\nbut WITHOUT ANY WARRANTY; without even the implied warranty "
        f"of\nMERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the\nGNU {kind}General Public License for more "
        f"details.\n\nYou should have received a copy of the GNU {kind}General Public License\nalong with this "
        "program. If not, see <https://www.gnu.org/licenses/>.\n"
    )


def commented(text: str, mark: str = "# ") -> bytes:
    return "".join((mark + line).rstrip() + "\n" for line in text.splitlines()).encode() + b"\nx = 1\n"


def labelled() -> Iterator[tuple[str, str, bytes]]:
    """(package, licence expression, licence file) of installed packages that state both, and one file only."""
    seen = set()
    for package in importlib.metadata.distributions():
        name, expression = package.metadata["Name"], package.metadata.get("License-Expression")
        named = package.metadata.get_all("License-File") or []
        if not expression or len(named) != 1 or name in seen:
            continue
        for path in package.files or []:
            # Not those of what a package carries in itself.
            if path.as_posix() == f"{path.parts[0]}/licenses/{named[0]}" and path.parts[0].endswith(
                ".dist-info"
            ):
                seen.add(name)
                yield name, expression, path.locate().read_bytes()
