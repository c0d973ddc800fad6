// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Pays native coin by inner calls, which no log and no top-level value shows.
contract Payer {
    error Refused();

    receive() external payable {}

    function pay(address payable[] calldata to, uint256[] calldata amounts) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool ok,) = to[i].call{value: amounts[i]}("");
            require(ok, Refused());
        }
    }

    /// @notice Pays and succeeds, but the frame that paid is reverted: nothing moves.
    function payAndRevertInside(address payable to, uint256 amount) external payable {
        try this.payThenRevert(to, amount) {
            revert("unreachable");
        } catch {}
    }

    /// @notice One payment that stands and, in a sibling frame, one that is reverted.
    function payOnceOfTwo(address payable to, uint256 amount) external payable {
        try this.payThenRevert(to, amount) {
            revert("unreachable");
        } catch {}
        (bool ok,) = to.call{value: amount}("");
        require(ok, Refused());
    }

    function payThenRevert(address payable to, uint256 amount) external {
        (bool ok,) = to.call{value: amount}("");
        require(ok, Refused());
        revert Refused();
    }

    /// @notice Creates a contract with value and lets it force the value upon `to`.
    function force(address payable to) external payable {
        new Bomb{value: msg.value}(to);
    }
}

/// @notice Forces its value upon an address while it is being created: no call reaches the recipient.
contract Bomb {
    constructor(address payable to) payable {
        assembly {
            selfdestruct(to)
        }
    }
}

/// @notice Takes no coin: a plain transfer to it is reverted.
contract Refuser {
    error NoCoin();

    receive() external payable {
        revert NoCoin();
    }
}

/// Accepts coin until its door is shut: a payment that was fine when it was estimated fails when it is mined.
contract Door {
    bool public isShut;

    error DoorIsShut();

    function shut() external {
        isShut = true;
    }

    receive() external payable {
        if (isShut) revert DoorIsShut();
    }
}
